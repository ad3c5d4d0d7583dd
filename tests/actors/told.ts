/** What an inspector is told, as far as it can be compared: without the actors and machines in it. */
import type { InspectionEvent } from 'xstate'

export function told(event: InspectionEvent): unknown {
  return ['sessionId' in event.actorRef && event.actorRef.sessionId === event.rootId, what(event)]
}

function what(event: InspectionEvent): unknown {
  switch (event.type) {
    case '@xstate.actor':
      return event.type
    case '@xstate.event':
      return [event.type, event.event.type]
    case '@xstate.action':
      return [event.type, event.action.type]
    case '@xstate.snapshot':
      return [event.type, event.event.type, shown(event.snapshot)]
    case '@xstate.microstep':
      return [
        event.type,
        event.event.type,
        shown(event.snapshot),
        event._transitions.map(({ source, target, eventType }) => [
          source.id,
          target?.map(({ id }) => id),
          eventType,
        ]),
      ]
  }
}

function shown(snapshot: object): unknown {
  return 'value' in snapshot && 'status' in snapshot
    ? [snapshot.value, snapshot.status]
    : Object.keys(snapshot)
}
