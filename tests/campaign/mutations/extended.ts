/** What makes the extended protocol safe, in client and server: each with the edit that takes it away, and its test. */
import type { Mutation } from './mutation.ts'

export const extendedMutations: readonly Mutation[] = [
  {
    mechanism: 'a batch names its ledger',
    file: 'src/executor/stream-wire.ts',
    find: '{ [ledgerHeader]: terms.ledger }',
    replace: '{ [ledgerHeader]: terms.ledger.slice(1) }',
    tests: ['tests/executor/extended.test.ts', '-t', 'with the ledger'],
  },
  {
    mechanism: 'a server with another ledger is looked at anew',
    file: 'src/retrying/verdict.ts',
    find: "if (streamed.kind === 'http-error' && staleStatuses.has(streamed.status)) {",
    replace: "if (streamed.kind === 'http-error' && streamed.status === 404) {",
    tests: ['tests/executor/extended.test.ts', '-t', '412'],
  },
  {
    mechanism: 'a cut is asked for again',
    file: 'src/retrying/verdict.ts',
    find: "if (!isOpen || streamed.kind === 'aborted') return verdict",
    replace: 'if (verdict.failure !== undefined) return verdict',
    tests: ['tests/faults/extended-server.test.ts', '-t', 'one call in the request: it runs once, and its'],
  },
  {
    mechanism: 'what was cut stays unknown, whatever a later server says',
    file: 'src/executor/aftermath.ts',
    find: "if (failure.outcome !== 'not-run') call.askedLedger = post.ledger",
    replace: '',
    tests: ['tests/faults/extended-server.test.ts', '-t', 'replaced by a server that is empty'],
  },
  {
    mechanism: 'a stalled answer is asked for again at the deadline',
    file: 'src/executor/container.ts',
    find: '    call.post.leave(call)\n    this.enqueue(call)\n',
    replace: '',
    tests: ['tests/faults/extended-server.test.ts', '-t', 'one call stalled, in the response: it runs once'],
  },
  {
    mechanism: 'the same id with another body is told from it',
    file: 'src/server/v2/body-hash.ts',
    find: 'JSON.stringify([slot_id, tool, args, timeout], sorted)',
    replace: 'JSON.stringify([slot_id, tool, timeout], sorted)',
    tests: ['tests/server/v2-ledger.test.ts'],
  },
  {
    mechanism: 'a result is told when it is written down, not before',
    file: 'src/server/v2/execution.ts',
    find: '    await this.#record(ledger, result, line)\n',
    replace: '    this.#ends.resolve(line)\n    await this.#record(ledger, result, line)\n',
    tests: ['tests/server/v2-ledger.test.ts'],
  },
  {
    mechanism: 'one sync covers what was claimed before it, not what came meanwhile',
    file: 'src/server/ledger/ledger.ts',
    find: '      this.#wantedSync = null\n      this.#syncs += 1\n      await syncFd(fd).then(wanted.resolve, wanted.reject)',
    replace:
      '      this.#syncs += 1\n      await syncFd(fd).then(wanted.resolve, wanted.reject)\n      this.#wantedSync = null',
    tests: ['tests/server/ledger.test.ts'],
  },
  {
    mechanism: 'a cancellation is answered when the tree is gone',
    file: 'src/server/v2/execution.ts',
    find: '    await this.result\n    return this.#wasCancelled',
    replace: '    return true',
    tests: ['tests/server/v2-cancel.test.ts', '-t', 'not before the call has ended'],
  },
  {
    mechanism: 'a cancellation that overtakes its call keeps it from beginning',
    file: 'src/server/v2/executions.ts',
    find: '    this.#bar(id)\n',
    replace: '',
    tests: ['tests/server/v2-cancel.test.ts', '-t', 'does not begin when it comes late'],
  },
  {
    mechanism: 'the end of a killed sandbox is waited for',
    file: 'src/server/sandbox/run-command.ts',
    find: "await (cause === 'ended' ? shell.ended : shell.kill())",
    replace:
      "await (cause === 'ended' ? shell.ended : (void shell.kill(), { exitCode: 0, signal: null } as const))",
    tests: ['tests/server/ready-shells.test.ts', '-t', 'when its sandbox has ended'],
    needs: 'bubblewrap',
  },
  {
    mechanism: 'a reader who takes all at once leaves the event loop its turns',
    file: 'src/server/v2/answer-stream.ts',
    find: 'if (this.#parts === PARTS_AT_ONCE) {',
    replace: 'if (this.#parts < 0) {',
    tests: ['tests/server/answer-stream.test.ts'],
  },
  {
    mechanism: 'sandboxes for later give way to calls that begin',
    file: 'src/server/sandbox/ready-shells.ts',
    find: '    this.#refills.yieldTo(taken.shell.ended)\n',
    replace: '',
    tests: ['tests/server/ready-shells.test.ts', '-t', 'after the calls that begin now'],
    needs: 'bubblewrap',
  },
  {
    mechanism: 'a body that is cut is the fault of its client',
    file: 'src/server/v2/files/route.ts',
    find: 'if (thrown instanceof BodyCut) {',
    replace: 'if (false) {',
    tests: ['tests/server/v2-files.test.ts', '-t', 'of a body that is cut'],
  },
]
