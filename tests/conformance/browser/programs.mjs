// The examples as processes: each on a free port of the loopback interface, stopped by its id.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HOST = '127.0.0.1';
const READY_MS = 10_000;
const running = new Set();

async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, HOST);
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

export class Program {
  constructor(folder, name, args) {
    this.name = name;
    this.path = join(folder, name);
    this.args = args;
  }

  /** Starts it, on the port it had if it ran before, and waits until it accepts connections. */
  async start() {
    this.port ??= await freePort();
    const args = ['--listen', `${HOST}:${this.port}`, ...this.args];
    this.child = spawn(this.path, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    running.add(this);
    let failure;
    this.child.once('error', (error) => { failure = error.message; });
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => { failure ??= `ended with ${signal ?? code}`; resolve(); });
    });
    const deadline = Date.now() + READY_MS;
    while (!(await accepts(this.port))) {
      if (failure || Date.now() > deadline) throw new Error(failure ?? 'not ready in time');
      await sleep(20);
    }
    // Something that accepts is not enough if our process has already gone.
    if (failure) throw new Error(failure);
    return this;
  }

  url(path = '/') { return `http://${HOST}:${this.port}${path}`; }

  get isRunning() { return this.child.exitCode === null && this.child.signalCode === null; }

  /** Takes the process away without a word, as a crash or a power cut would. */
  async kill() {
    running.delete(this);
    if (!this.child) return;
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

export async function killAll() {
  await Promise.all([...running].map((program) => program.kill()));
}
