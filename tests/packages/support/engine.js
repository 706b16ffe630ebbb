// A Docker engine of a test, in namespaces of its own. The kernel ends it when its standard input closes.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { until } from './sandbox.js'

// Why there is no engine, if there is none.
export const MISSING = missing()

function missing() {
  if (process.getuid() !== 0) return 'the engine needs root'
  return spawnSync('dockerd', ['--version']).error ? 'dockerd is not installed' : false
}

// `/run` is private, because the engine uses fixed paths there.
const START = `
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
dockerd --config-file "$PWD/daemon.json" --data-root "$PWD/data" --exec-root /run/docker --bridge none \
  --iptables=false --host "unix://$PWD/docker.sock" --pidfile /run/docker.pid --log-level warn > dockerd.log 2>&1 &
exec cat
`

export async function withEngine(sandbox, body) {
  const directory = join(sandbox.root, 'engine')
  mkdirSync(directory)
  writeFileSync(join(directory, 'daemon.json'), '{}')
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const engine = spawn('unshare', [...namespaces, 'sh', '-c', START], {
    cwd: directory,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const exited = new Promise((resolve) => engine.on('exit', resolve))
  const env = {
    DOCKER_HOST: `unix://${directory}/docker.sock`,
    DOCKER_CONFIG: join(directory, 'config'),
  }
  try {
    const answers = async () => (await sandbox.run('docker', ['version'], { env })).code === 0
    await until(answers, () => `the engine does not start\n${readFileSync(join(directory, 'dockerd.log'), 'utf8')}`)
    await body((...args) => sandbox.succeeds('docker', args, { env }))
  } finally {
    engine.stdin.end()
    await exited
  }
}
