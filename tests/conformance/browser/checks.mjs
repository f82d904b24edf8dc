// Named checks that are counted, so that a run which did less than it should is not a success.

import { setTimeout as sleep } from 'node:timers/promises';

const CHECK_MS = 60_000;

export class Checks {
  passed = 0;
  failed = 0;

  /** Runs one check. A failure is printed and counted, and the next check goes on. */
  async check(name, run) {
    const started = Date.now();
    const clock = new AbortController();
    const late = sleep(CHECK_MS, null, { signal: clock.signal }).then(
      () => { throw new Error(`took more than ${CHECK_MS / 1000} s`); },
      () => {},
    );
    try {
      await Promise.race([run(), late]);
      this.passed += 1;
      console.log(`ok      ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${name}: ${error.message}`);
    } finally {
      clock.abort();
    }
  }
}
