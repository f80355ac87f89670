#!/usr/bin/env bash
# ilp-plugin-btp 1.5.0: an answer goes over the connection that is there when the answer is ready,
# and not over the one that the request came on.
#
# A client sends a request and loses its connection. The server's handler returns after the client has
# logged in again: the answer, with the old request's id, arrives on the new connection. The plugin's
# own requests wait for answers in the same way, on any later connection. RFC 0023 does not say so.
#
# So a lost connection does not tell that a packet has no answer: a client that gives up its requests
# with the connection loses a fulfillment that it could have had, and a client that numbers the
# requests of each connection from 1 takes the old answer for the answer to another packet. Keep
# request ids different over connections, and let requests wait until their packets expire.
# examples/internal/btp does both.
#
# Output seen on 2026-11-30, Node 20.20.2:
#   the second connection gets type 1 of request 7: 0d
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --ignore-scripts --no-audit --no-fund ilp-plugin-btp@1.5.0 btp-packet@2.2.1 ws@7.5.10 >/dev/null
cat >finding.js <<'EOF'
const net = require('net')
const WebSocket = require('ws')
const btp = require('btp-packet')
const Plugin = require('ilp-plugin-btp')

const part = (protocolName, contentType, text) => ({ protocolName, contentType, data: Buffer.from(text) })
const login = btp.serializeMessage(1, [part('auth', 0, ''), part('auth_token', 1, 'secret')])
const once = (emitter, event) => new Promise(resolve => emitter.once(event, resolve))

async function logIn (port) {
  const socket = new WebSocket('ws://127.0.0.1:' + port)
  await once(socket, 'open')
  socket.send(login)
  await once(socket, 'message')
  return socket
}

async function main () {
  const free = net.createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const port = free.address().port
  await new Promise(resolve => free.close(resolve))

  const plugin = new Plugin({ listener: { secret: 'secret', wsOpts: { host: '127.0.0.1', port } } })
  let asked, answer
  const request = new Promise(resolve => { asked = resolve })
  const ready = new Promise(resolve => { answer = resolve })
  plugin.registerDataHandler(async () => { asked(); await ready; return Buffer.from([13]) })
  const connected = plugin.connect()

  const first = await logIn(port)
  await connected
  first.send(btp.serializeMessage(7, [part('ilp', 0, 'packet')]))
  await request
  first.terminate()
  const second = await logIn(port)
  const received = once(second, 'message')
  answer()
  const frame = btp.deserialize(await received)
  console.log(`the second connection gets type ${frame.type} of request ${frame.requestId}: ${frame.data.protocolData[0].data.toString('hex')}`)
  process.exit(0)
}

setTimeout(() => { console.log('no answer in 10 s'); process.exit(1) }, 10000)
main()
EOF
output=$(node finding.js)
echo "$output"
[[ $output == "the second connection gets type 1 of request 7: 0d" ]]
