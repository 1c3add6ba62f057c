import { openFleet } from '/tmp/wt/lead/test/bench/fleet.ts';
const buckets = Number(process.argv[2]);
const fleet = await openFleet({ buckets, hostsPerSide: 4, changedOneIn: 20, slowOneIn: 100 }, (l) => console.log(new Date().toISOString(), l));
const it = await fleet.slot();
console.log(JSON.stringify({ ...it, maxRss: process.resourceUsage().maxRSS / 1024 }));
if (process.argv[3] === 'outage') {
  const c = await fleet.slot(fleet.loseCluster); console.log('cluster', JSON.stringify(c));
  const h = await fleet.slot(fleet.loseHost); console.log('host', JSON.stringify(h));
  const a = await fleet.slot(); console.log('after', JSON.stringify(a));
}
await fleet.close();
