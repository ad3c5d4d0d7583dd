/**
 * Floor 2: the type of a chart, written out.
 *
 * What is exported has a type that can be read without running XState's inference: JSR asks for it, and declarations
 * stay short.
 */
import type {
  EventObject,
  MachineContext,
  MetaObject,
  NonReducibleUnknown,
  StateMachine,
  StateSchema,
  StateValue,
} from 'xstate'

/** A machine whose actions are named `Action`, without children, guards and delays, and with no data in its context. */
export type Chart<Event extends EventObject, Action extends string, Value extends StateValue> = StateMachine<
  MachineContext,
  Event,
  Record<never, never>,
  never,
  NamedAction<Action>,
  never,
  never,
  Value,
  string,
  NonReducibleUnknown,
  NonReducibleUnknown,
  EventObject,
  MetaObject,
  StateSchema
>

type NamedAction<Name extends string> = Name extends string
  ? { readonly type: Name; readonly params: unknown }
  : never
