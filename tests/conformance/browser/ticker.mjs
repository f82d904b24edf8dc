// The page of the `ticker` example: Server-Sent Events over a server that goes and comes back.
//
// What the page promises: a list `#ticks` with one `<li data-id="ID">` an event, in their order.

import assert from 'node:assert/strict';

const ids = (page) => page.locator('#ticks > li').evaluateAll((all) => all.map((li) => Number(li.dataset.id)));

/** Waits until the page has `count` ticks more than `before`. */
async function grow(page, before, count) {
  await page.waitForFunction(
    (wanted) => document.querySelectorAll('#ticks > li').length >= wanted,
    before + count,
  );
  return ids(page);
}

function assertConsecutive(seen) {
  assert.ok(seen.length > 0 && seen.every(Number.isSafeInteger), `IDs are ${seen}`);
  assert.deepEqual(seen, seen.map((_, i) => seen[0] + i), 'IDs are missing, doubled or out of order');
}

export const COUNT = 4;

export async function ticker(checks, context, server) {
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  let seen = [];
  await checks.check('ticker: ticks arrive', async () => {
    await page.goto(server.url('/'));
    seen = await grow(page, 0, 5);
    assertConsecutive(seen);
  });
  for (const round of ['once', 'twice']) {
    await checks.check(`ticker: a server killed ${round} is found again, and no tick is lost or doubled`, async () => {
      await server.kill();
      const before = await ids(page);
      await server.start();
      seen = await grow(page, before.length, 5);
      assertConsecutive(seen);
      assert.deepEqual(seen.slice(0, before.length), before, 'earlier ticks have changed');
    });
  }
  await checks.check('ticker: the page had no errors', async () => {
    assert.ok(seen.length >= 15, `only ${seen.length} ticks`);
    assert.deepEqual(errors, []);
  });
}
