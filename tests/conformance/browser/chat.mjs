// The page of the `chat` example: rooms over WebSocket.
//
// What the page promises: an input `#message` in a form `#send`, a list `#log` with one `<li>` a
// message, the room and the name from the query, `data-state` of the body `open` or `closed`.

import assert from 'node:assert/strict';

async function enter(context, server, room, name) {
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(server.url(`/?room=${room}&name=${name}`));
  await page.waitForSelector('body[data-state="open"]');
  return page;
}

async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#send #message', 'Enter');
}

const count = (page, text) => page.locator('#log > li').filter({ hasText: text }).count();

/** Waits for a message, and holds that it is there once. */
async function hears(page, text) {
  await page.locator('#log > li').filter({ hasText: text }).first().waitFor();
  assert.equal(await count(page, text), 1, `"${text}" came more than once`);
}

export const COUNT = 6;

export async function chat(checks, context, server) {
  let pages = [];
  await checks.check('chat: four pages enter two rooms', async () => {
    const rooms = [['red', 'ann'], ['red', 'bob'], ['blue', 'cyd'], ['blue', 'dan']];
    pages = await Promise.all(rooms.map(([room, name]) => enter(context, server, room, name)));
  });
  const [ann, bob, cyd, dan] = pages;
  await checks.check('chat: two pages of a room hear each other', async () => {
    await say(ann, 'red-one from ann');
    await hears(bob, 'red-one from ann');
    await say(bob, 'red-two from bob');
    await hears(ann, 'red-two from bob');
    assert.equal(await count(bob, 'red-one from ann'), 1);
  });
  await checks.check('chat: another room does not', async () => {
    await say(cyd, 'blue-one from cyd');
    await hears(dan, 'blue-one from cyd');
    // One more round in the first room, so that what went astray would have had its time.
    await say(ann, 'red-three from ann');
    await hears(bob, 'red-three from ann');
    for (const page of [ann, bob]) assert.equal(await count(page, 'blue-'), 0);
    for (const page of [cyd, dan]) assert.equal(await count(page, 'red-'), 0);
  });
  await checks.check('chat: markup is text', async () => {
    const text = `<img src="/none" onerror="throw new Error('ran')"> & 🦀`;
    await say(ann, text);
    await hears(bob, text);
    assert.equal(await bob.locator('#log img').count(), 0);
  });
  await checks.check('chat: 50 messages keep their order', async () => {
    const texts = Array.from({ length: 50 }, (_, i) => `numbered ${String(i).padStart(2, '0')}`);
    // The form itself, without a human's pauses.
    await ann.evaluate((all) => all.forEach((text) => {
      document.querySelector('#message').value = text;
      document.querySelector('#send').requestSubmit();
    }), texts);
    await hears(bob, texts.at(-1));
    const log = await bob.locator('#log > li').filter({ hasText: 'numbered' }).allTextContents();
    assert.deepEqual(log.map((line) => line.match(/numbered \d{2}/)[0]), texts);
  });
  await checks.check('chat: the pages notice when the server is gone, and had no errors', async () => {
    assert.equal(pages.length, 4);
    await server.kill();
    await Promise.all(pages.map((page) => page.waitForSelector('body[data-state="closed"]')));
    assert.deepEqual(pages.flatMap((page) => page.errors), []);
  });
}
