#!/bin/sh
# weir.sh PROGRAM FOLDER ORIGIN_PORT [SITE KEYS]: runs Weir between FOLDER/weir.sock and an origin, in the foreground.
cat > "$2/weir.yaml" <<EOF
listen: "unix:$2/weir.sock"
control: $2/control.sock
state: $2
loops: 1
via: weir-test
timeouts: { header: 2s, body: 2s, write: 2s, first_byte: 2s, idle: 2s, keep_alive: 5s }
upstreams:
  origin: { endpoints: ["http://127.0.0.1:$3"], timeouts: { keep_alive: 5s } }
sites:
  - { routes: [{ proxy: origin${4:+, $4} }] }
EOF
exec "$1" run -c "$2/weir.yaml"
