/** A store that fails on command, which a real one does not. Every call is recorded. */
export class FakeStore {
    calls = [];
    kept = new Map();
    /** What the next calls of a method end in; each is used once. */
    failures = {};
    events = null;
    counter = 0;
    groupOf(group) {
        let kept = this.kept.get(group);
        if (kept === undefined)
            this.kept.set(group, kept = { filters: new Set(), waiting: [], claimed: new Map(), parked: new Map() });
        return kept;
    }
    async call(name, group, ...details) {
        this.calls.push([name, ...details].join(' '));
        await Promise.resolve();
        const failure = this.failures[name]?.shift();
        if (failure !== undefined)
            throw failure;
        return this.groupOf(group);
    }
    /** Stores a message for a group, as a broker does. @returns its id */
    publish(group, topic, payload, properties) {
        const id = `b:${++this.counter}`;
        const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...properties === undefined ? {} : { properties } };
        this.groupOf(group).waiting.push({ id, packet, deliveries: 0 });
        return id;
    }
    async open(events) { this.events = events; }
    async close() { this.calls.push('close'); }
    async register(group, filters) {
        const kept = await this.call('register', group, ...filters);
        for (const filter of filters)
            kept.filters.add(filter);
    }
    present(_group, filters) { this.calls.push(['present', ...filters].join(' ')); }
    async claim(group, count) {
        const kept = await this.call('claim', group);
        const claimed = kept.waiting.splice(0, count);
        for (const stored of claimed)
            kept.claimed.set(stored.id, stored);
        return claimed.map((stored) => ({ ...stored }));
    }
    async ack(group, ids) {
        const kept = await this.call('ack', group, ...ids);
        return ids.filter((id) => kept.claimed.delete(id)).length;
    }
    async release(group, ids, delivered) {
        const kept = await this.call('release', group, ...ids, delivered);
        const back = ids.flatMap((id) => kept.claimed.get(id) ?? []);
        for (const stored of back) {
            kept.claimed.delete(stored.id);
            if (delivered)
                stored.deliveries++;
        }
        kept.waiting.unshift(...back);
    }
    async park(group, parked) {
        const kept = await this.call('park', group, ...parked.map(({ id }) => id));
        for (const { id } of parked) {
            const stored = kept.claimed.get(id);
            if (stored === undefined)
                continue;
            kept.claimed.delete(id);
            kept.parked.set(id, stored);
        }
    }
    async parked(group, from, count) {
        const kept = await this.call('parked', group);
        const start = Number(from ?? 0);
        const all = [...kept.parked.values()];
        return {
            parked: all.slice(start, start + count).map(({ id, packet: { topic } }) => ({ id, topic })),
            next: start + count < all.length ? String(start + count) : null
        };
    }
    async unpark(group, ids) {
        const kept = await this.call('unpark', group, ...ids);
        return ids.flatMap((id) => {
            const stored = kept.parked.get(id);
            if (stored === undefined)
                return [];
            kept.parked.delete(id);
            kept.claimed.set(id, stored);
            return { ...stored };
        });
    }
    async depth(group) {
        const { waiting, claimed, parked } = await this.call('depth', group);
        return { waiting: waiting.length, claimed: claimed.size, parked: parked.size, redelivered: 0, oldest: null };
    }
    async groups() {
        await this.call('groups', '');
        return [...this.kept].map(([group, { filters }]) => ({ group, filters: [...filters], seen: 0 }));
    }
    async purge(group) {
        const kept = await this.call('purge', group);
        return kept.waiting.splice(0).length;
    }
    async remove(group) {
        await this.call('remove', group);
        this.kept.delete(group);
    }
}
//# sourceMappingURL=fake-store.js.map