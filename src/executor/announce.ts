/** Floor 3: what `onEvent` is told of posts. Browser compatible. */
import type { ActorRefFrom } from 'xstate'
import type { coordinatorMachine } from '../actors/coordinator.machine.ts'
import { linkStateOf } from '../actors/states.ts'
import type { Failed } from '../batching/settlement.ts'
import type { SandboxEvent } from './events.ts'
import type { Post } from './post.ts'

type Emit = (event: SandboxEvent) => void

export function announcePost(post: Post, container: string, emit: Emit): void {
  const { postId, route, bytes } = post
  emit({ type: 'post.started', postId, container, route, calls: post.calls.length, bytes })
  for (const { executionId, attempts } of post.calls) {
    emit({ type: 'call.posted', executionId, postId, attempt: attempts })
  }
}

export function announceFailure(post: Post, container: string, failure: Failed, emit: Emit): void {
  emit({
    type: 'post.failed',
    postId: post.postId,
    container,
    calls: post.calls.length,
    message: failure.message,
  })
}

export function announceLink(
  coordinator: ActorRefFrom<typeof coordinatorMachine>,
  container: string,
  emit: Emit,
): void {
  let from = linkStateOf(coordinator.getSnapshot())
  coordinator.subscribe((snapshot) => {
    const to = linkStateOf(snapshot)
    if (to === from) return
    emit({ type: 'link.changed', container, from, to })
    from = to
  })
}
