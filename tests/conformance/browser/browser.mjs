// Drives headless Chromium against the examples: `run.sh` builds them, installs and starts this.
//
//     node browser.mjs --programs FOLDER [--runtime tokio|smol|std|all]

import { parseArgs } from 'node:util';

import { chromium } from 'playwright-core';

import { COUNT as CHAT, chat } from './chat.mjs';
import { Checks } from './checks.mjs';
import { COUNT as EVENTS, events } from './events.mjs';
import { Program, killAll } from './programs.mjs';
import { COUNT as TICKER, ticker } from './ticker.mjs';
import { COUNT as WEBSOCKET, websocket } from './websocket.mjs';

const RUNTIMES = ['tokio', 'smol', 'std'];
const EXPECTED = WEBSOCKET + EVENTS + CHAT + TICKER;

const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

/** One program, and the part of the suite that needs it. What it cannot do counts as not passed. */
async function withProgram(folder, name, args, part) {
  const program = new Program(folder, name, args);
  try {
    await program.start();
    await part(program);
  } catch (error) {
    console.log(`FAILED  ${name}: ${error.message}`);
  } finally {
    await program.kill();
  }
}

async function runAll(checks, browser, folder, runtime) {
  const context = await browser.newContext();
  context.setDefaultTimeout(20_000);
  const args = ['--runtime', runtime];
  await withProgram(folder, 'conformance', args, async (server) => {
    const page = await context.newPage();
    await websocket(checks, page, server);
    await events(checks, page, server);
  });
  await withProgram(folder, 'chat', args, (server) => chat(checks, context, server));
  await withProgram(folder, 'ticker', [...args, '--interval-ms', '100'], (server) => ticker(checks, context, server));
  await context.close();
}

async function main() {
  const { values } = parseArgs({
    options: { programs: { type: 'string' }, runtime: { type: 'string', default: 'all' } },
  });
  const runtimes = values.runtime === 'all' ? RUNTIMES : [values.runtime];
  if (!values.programs || !runtimes.every((runtime) => RUNTIMES.includes(runtime))) {
    console.error('usage: browser.mjs --programs FOLDER [--runtime tokio|smol|std|all]');
    return 2;
  }
  const started = Date.now();
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  console.log(`chromium ${browser.version()}`);
  let wrong = 0;
  for (const runtime of runtimes) {
    console.log(`== browser: ${runtime}`);
    const checks = new Checks();
    await runAll(checks, browser, values.programs, runtime);
    console.log(`${runtime}: ${checks.passed} of ${EXPECTED} checks passed`);
    // Not only a check that failed: also one that never ran.
    if (checks.passed !== EXPECTED || checks.failed !== 0) wrong += 1;
  }
  await browser.close();
  const seconds = Math.round((Date.now() - started) / 1000);
  console.log(`browser: ${wrong === 0 ? 'no failures' : `FAILED on ${wrong} of ${runtimes.length}`}, ${seconds} s`);
  return wrong === 0 ? 0 : 1;
}

// Stopped from outside, for example by `timeout`, the examples must not stay behind.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => killAll().then(() => process.exit(143)));
}
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await killAll();
}
