#!/usr/bin/env bash
# npm's ilp-settlement-core 0.1.1: creditSettlement of an account that was not created succeeds, and reports nothing.
#
# An engine calls creditSettlement when the peer has paid. If the connector has not created the account with
# POST /accounts before, the promise resolves, no request goes to the connector, and the amount is not kept: a log line
# of the package debug, off by default, is all. sendMessage throws in the same case. So the first payment of a peer is
# lost if only the peer's side has had its account created: a connector that is only ever paid, and creates an account
# together with its first own settlement, is never credited. Create the account before the peer can pay. In peerledger
# call rfc0038.Settler.CreateAccount after accounts.Book.Provision and before the first packet; the call may be repeated.
#
# Output seen on 2026-11-30 (node 20.20.2):
#   credited, account missing: resolved, requests to the connector: 0
#   credited, account created: resolved, requests to the connector: 1 {"scale":0,"amount":"7"}
#   message, account missing: Failed to send message: Account doesn't exist: account=bob
#
# The script fails if this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >package.json <<'EOF'
{
  "private": true,
  "dependencies": { "ilp-settlement-core": "0.1.1" },
  "overrides": { "axios": "0.19.0", "bignumber.js": "9.0.0", "express": "5.0.0-alpha.7" }
}
EOF
npm install --ignore-scripts --no-audit --no-fund --loglevel error >/dev/null
cat >run.js <<'EOF'
const http = require('http')
const net = require('net')
const { BigNumber } = require('bignumber.js')
const { startServer } = require('ilp-settlement-core')

const listen = net.Server.prototype.listen // settlement-core would listen on every address
net.Server.prototype.listen = function (port) { return listen.call(this, port, '127.0.0.1') }

const bodies = []
const connector = http.createServer((request, response) => {
  let body = ''
  request.on('data', (part) => { body += part })
  request.on('end', () => {
    bodies.push(body)
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(body)
  })
}).listen(0)
connector.on('listening', async () => {
  const enginePort = 20000 + process.pid % 10000
  let services
  await startServer(async (given) => { services = given; return { settle: async (_, amount) => amount } }, undefined, {
    connectorUrl: `http://127.0.0.1:${connector.address().port}`, port: enginePort
  })
  await services.creditSettlement('alice', new BigNumber(5))
  console.log('credited, account missing: resolved, requests to the connector:', bodies.length)
  await new Promise((resolve) => http.request({
    host: '127.0.0.1', port: enginePort, path: '/accounts', method: 'POST', headers: { 'Content-Type': 'application/json' }
  }, (response) => response.resume().on('end', resolve)).end('{"id":"alice"}'))
  await services.creditSettlement('alice', new BigNumber(7))
  console.log('credited, account created: resolved, requests to the connector:', bodies.length, bodies[0])
  await services.sendMessage('bob', {}).catch((error) => console.log('message, account missing:', error.message))
  process.exit()
})
EOF
output=$(node run.js)
echo "$output"
[[ $output == "credited, account missing: resolved, requests to the connector: 0
credited, account created: resolved, requests to the connector: 1 {\"scale\":0,\"amount\":\"7\"}
message, account missing: Failed to send message: Account doesn't exist: account=bob" ]]
