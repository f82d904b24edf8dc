// Server-Sent Events as a browser reads them, with the `conformance` example at `/sse`.

import assert from 'node:assert/strict';

const N = 7;

/** Runs in the page: reads `count` events over as many connections as it takes. */
async function readEvents({ n, count }) {
  const source = new EventSource(`/sse?n=${n}`);
  const events = [];
  let connections = 0;
  return new Promise((resolve, reject) => {
    source.onopen = () => { connections += 1; };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) reject(new Error(`gave up after ${events.length} events`));
    };
    const take = (event) => {
      events.push({ id: event.lastEventId, type: event.type, data: event.data, at: performance.now(), connections });
      if (events.length === count) { source.close(); resolve(events); }
    };
    source.onmessage = take;
    source.addEventListener('tick', take);
  });
}

export const COUNT = 4;

export async function events(checks, page, server) {
  await page.goto(server.url('/'));
  // Two responses to their end, and the first event of a third.
  let seen = [];
  await checks.check('events: three connections, the last two by the browser itself', async () => {
    seen = await page.evaluate(readEvents, { n: N, count: 2 * N + 1 });
    assert.deepEqual(seen.map((event) => event.connections), seen.map((_, i) => Math.floor(i / N) + 1));
  });
  await checks.check('events: IDs go on over connections, each third event is a tick', async () => {
    assert.equal(seen.length, 2 * N + 1);
    assert.deepEqual(
      seen.map(({ id, type }) => ({ id, type })),
      seen.map((_, i) => ({ id: `${i + 1}`, type: (i + 1) % 3 === 0 ? 'tick' : 'message' })),
    );
  });
  await checks.check('events: data of two lines', async () => {
    assert.equal(seen.length, 2 * N + 1);
    assert.deepEqual(seen.map((event) => event.data), seen.map((_, i) => `event ${i + 1}\nsecond line`));
  });
  await checks.check('events: the reconnection time of the stream is kept', async () => {
    // 200 ms in the stream. Without that field Chromium waits 3 s.
    assert.equal(seen.length, 2 * N + 1);
    for (const first of [N, 2 * N]) {
      const pause = seen[first].at - seen[first - 1].at;
      assert.ok(pause >= 150 && pause < 2000, `connected again after ${Math.round(pause)} ms`);
    }
  });
}
