export async function depth () { throw new Error('not yet') }
