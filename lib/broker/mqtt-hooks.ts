// Hooks that judge MQTT clients alone, and leave NATS clients to the gateway: it treats them as Aedes' own defaults,
// asks them nothing, and stays as fast as without.

const hooks = new WeakSet<object>()

/** Marks a hook that has nothing to say of NATS clients. */
export function forMqttAlone<H extends object> (hook: H): H {
  hooks.add(hook)
  return hook
}

export function isForMqttAlone (hook: object): boolean {
  return hooks.has(hook)
}
