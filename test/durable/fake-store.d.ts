import type { PublishPacket } from '../../lib/broker/host.ts';
import type { Claimed, Depth, DurableStore, GroupRecord, Parked, ParkedPage, StoreEvents } from '../../lib/durable/store.ts';
interface Stored {
    readonly id: string;
    readonly packet: PublishPacket;
    deliveries: number;
}
interface Kept {
    readonly filters: Set<string>;
    waiting: Stored[];
    readonly claimed: Map<string, Stored>;
    readonly parked: Map<string, Stored>;
}
/** A store that fails on command, which a real one does not. Every call is recorded. */
export declare class FakeStore implements DurableStore {
    readonly calls: string[];
    readonly kept: Map<string, Kept>;
    /** What the next calls of a method end in; each is used once. */
    readonly failures: Record<string, Error[]>;
    events: StoreEvents | null;
    private counter;
    private groupOf;
    private call;
    /** Stores a message for a group, as a broker does. @returns its id */
    publish(group: string, topic: string, payload: string, properties?: object): string;
    open(events: StoreEvents): Promise<void>;
    close(): Promise<void>;
    register(group: string, filters: readonly string[]): Promise<void>;
    present(_group: string, filters: readonly string[]): void;
    claim(group: string, count: number): Promise<Claimed[]>;
    ack(group: string, ids: readonly string[]): Promise<number>;
    release(group: string, ids: readonly string[], delivered: boolean): Promise<void>;
    park(group: string, parked: readonly Parked[]): Promise<void>;
    parked(group: string, from: string | null, count: number): Promise<ParkedPage>;
    unpark(group: string, ids: readonly string[]): Promise<Claimed[]>;
    depth(group: string): Promise<Depth>;
    groups(): Promise<GroupRecord[]>;
    purge(group: string): Promise<number>;
    remove(group: string): Promise<void>;
}
export {};
