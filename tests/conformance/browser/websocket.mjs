// RFC 6455 and RFC 7692 as a browser speaks them, with the `conformance` example at `/ws`.

import assert from 'node:assert/strict';

/** Runs in the page: sends every message at once and returns what came back, in its order. */
async function echoTexts(messages) {
  const socket = new WebSocket(`ws://${location.host}/ws`);
  const received = [];
  return new Promise((resolve, reject) => {
    socket.onopen = () => messages.forEach((message) => socket.send(message));
    socket.onerror = () => reject(new Error('the socket failed'));
    socket.onclose = (event) => reject(new Error(`closed with ${event.code} after ${received.length}`));
    socket.onmessage = ({ data }) => {
      received.push(data);
      if (received.length === messages.length) {
        socket.onclose = null;
        resolve({ received, extensions: socket.extensions, protocol: socket.protocol });
      }
    };
  });
}

/** Runs in the page: echoes `size` bytes that do not repeat, and says whether all came back. */
async function echoBytes(size) {
  const sent = new Uint8Array(size);
  for (let i = 0, state = size + 1; i < size; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    sent[i] = state >>> 24;
  }
  const socket = new WebSocket(`ws://${location.host}/ws`);
  socket.binaryType = 'arraybuffer';
  return new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(sent.buffer);
    socket.onerror = () => reject(new Error('the socket failed'));
    socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
    socket.onmessage = ({ data }) => {
      const got = data instanceof ArrayBuffer ? new Uint8Array(data) : null;
      resolve({ size: got?.length, equal: got !== null && sent.every((byte, i) => byte === got[i]) });
    };
  });
}

/** Runs in the page: sends a text or closes, and returns how the connection ended. */
async function ending({ text, code, reason }) {
  const socket = new WebSocket(`ws://${location.host}/ws`);
  return new Promise((resolve) => {
    socket.onopen = () => (text === undefined ? socket.close(code, reason) : socket.send(text));
    socket.onclose = (event) => resolve({ code: event.code, reason: event.reason, clean: event.wasClean });
  });
}

const TEXTS = [
  ['ASCII', 'Hello, World!'],
  ['nothing', ''],
  ['two and three bytes a character', 'grüße, κόσμε, 日本語'],
  ['outside the basic plane', '🦀 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧'],
  ['NUL and line ends', 'a\u0000b\r\nc\n'],
  ['100,000 characters', 'äb🦀'.repeat(25_000)],
];

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

// The answer to a close frame has its status code (RFC 6455 §5.5.1). Its reason is the sender's alone, so
// what the page hears of its own is left open.
const ENDINGS = [
  ['the server closes with 1000', { text: 'please-close 1000 bye' }, { code: 1000, reason: 'bye', clean: true }],
  ['the server closes with 4000', { text: 'please-close 4000 custom' }, { code: 4000, reason: 'custom', clean: true }],
  ['the page closes with 4001', { code: 4001, reason: 'x' }, { code: 4001, clean: true }],
  ['the page closes with 1000', { code: 1000, reason: 'grüße' }, { code: 1000, clean: true }],
  // RFC 6455 §7.1.5: no status code was received.
  ['the page closes without a code', {}, { code: 1005, clean: true }],
];

const MANY = Array.from({ length: 2000 }, (_, i) => `${i}:${'x'.repeat((i * 37) % 900)}`);

export const COUNT = TEXTS.length + SIZES.length + ENDINGS.length + 3;

export async function websocket(checks, page, server) {
  await page.goto(server.url('/'));
  for (const [name, text] of TEXTS) {
    await checks.check(`websocket: text: ${name}`, async () => {
      assert.deepEqual((await page.evaluate(echoTexts, [text])).received, [text]);
    });
  }
  for (const size of SIZES) {
    await checks.check(`websocket: ${size} bytes`, async () => {
      assert.deepEqual(await page.evaluate(echoBytes, size), { size, equal: true });
    });
  }
  await checks.check(`websocket: ${MANY.length} messages keep their order`, async () => {
    const { received } = await page.evaluate(echoTexts, MANY);
    const wrong = received.findIndex((text, i) => text !== MANY[i]);
    assert.equal(wrong, -1, `message ${wrong} is not what was sent`);
    assert.equal(received.length, MANY.length);
  });
  await checks.check('websocket: compression is negotiated, no protocol is', async () => {
    const { extensions, protocol } = await page.evaluate(echoTexts, ['x']);
    assert.match(extensions, /^permessage-deflate(;|$)/);
    assert.equal(protocol, '');
  });
  for (const [name, how, expected] of ENDINGS) {
    await checks.check(`websocket: ${name}`, async () => {
      const { reason, ...end } = await page.evaluate(ending, how);
      assert.deepEqual('reason' in expected ? { ...end, reason } : end, expected);
    });
  }
  await checks.check('websocket: the server runs still', async () => {
    assert.ok(server.isRunning);
    assert.deepEqual((await page.evaluate(echoTexts, ['after all'])).received, ['after all']);
  });
}
