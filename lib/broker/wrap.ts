type Method = (...args: never[]) => unknown

/**
 * Replaces a method until the returned function is called. Whoever wraps it later keeps what we leave in between; the
 * function says whether nobody did.
 */
export function wrap<T extends object, K extends keyof T> (target: T, name: K, replacement: T[K] & Method): () => boolean {
  const before = Object.getOwnPropertyDescriptor(target, name)
  target[name] = replacement
  return () => {
    if (target[name] !== replacement) return false
    if (before === undefined) delete target[name]
    else Object.defineProperty(target, name, before)
    return true
  }
}

/** A hook of the host that is guarded, whenever the host sets it. */
export interface GuardedHook<H> {
  /** The hook that the host has set. */
  readonly hook: H
  undo (): void
}

/**
 * Guards a hook by an accessor, so that one that the host sets later is guarded too. What it reads back is guarded, and
 * calls the hook that was there when it was read; setting that again is setting the hook itself.
 */
export function wrapHook<T extends object, K extends keyof T> (target: T, name: K, guard: (hook: T[K]) => T[K] & object): GuardedHook<T[K]> {
  const descriptor = Object.getOwnPropertyDescriptor(target, name)
  const hooks = new WeakMap<object, T[K]>()
  let hook = target[name]
  let guarded = guard(hook)
  hooks.set(guarded, hook)
  const get = (): T[K] => guarded
  const set = (next: T[K]): void => {
    if (next === guarded) return
    hook = hooks.get(next as object) ?? next
    guarded = guard(hook)
    hooks.set(guarded, hook)
  }
  Object.defineProperty(target, name, { get, set, configurable: true, enumerable: descriptor?.enumerable ?? true })
  return {
    get hook () { return hook },
    undo: () => {
      if (Object.getOwnPropertyDescriptor(target, name)?.get !== get) return
      if (descriptor !== undefined) {
        Object.defineProperty(target, name, { ...descriptor, value: hook })
        return
      }
      delete target[name]
      if (target[name] !== hook) target[name] = hook
    }
  }
}
