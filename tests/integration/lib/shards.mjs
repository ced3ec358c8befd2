// shards.mjs - which shard of the queue an org has, said once more and not by the engine: the
// slot of its name in a Redis Cluster (CRC16-CCITT, XMODEM), modulo the number of shards.

function slot(text) {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc % 16384;
}

export const shardOf = (org, shards) => slot(org) % shards;

// What a shard's keys begin with.
export const tagOf = (shard, shards) => (shards === 1 ? 'mh:{q}' : `mh:{q${shard}}`);

// An org of each shard, in their order.
export function orgsOf(shards, name = 'org') {
  const orgs = [];
  for (let n = 0; orgs.filter(Boolean).length < shards; n++) orgs[shardOf(`${name}${n}`, shards)] ??= `${name}${n}`;
  return orgs;
}
