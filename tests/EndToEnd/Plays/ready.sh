#!/bin/sh
# ready.sh PROGRAM FOLDER: waits until Weir answers on its control socket; the play's own time limit ends a wait in vain.
until "$1" status --control "$2/control.sock" >/dev/null 2>&1; do sleep 0.02; done
