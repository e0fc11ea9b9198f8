#!/usr/bin/env bash
# The whole job on made-up data: installs what is missing, builds, generates 5 million broker
# transactions, runs the pipeline and shows its answers; then records from simulated exchanges.
# Everything is below build/; a second run starts in seconds. ROWS=100000 scripts/demo.sh makes a smaller one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rows=${ROWS:-5000000}
tapeworks=build/release/tapeworks
input=build/demo/input
data=build/demo/data
stats=build/demo/stats.json
shape=(--rows "$rows" --symbols 500 --brokers 300 --days 120 --seed 1)

title() { printf '\n== %s\n' "$*"; }
# Shows a command as a reader would type it, then runs it.
show() { printf '$ %s\n' "$*"; "$@"; }
# The first value of a column of a command's JSON lines.
first_value() { .venv/bin/python -c 'import json, sys; print(json.loads(sys.stdin.readline())[sys.argv[1]])' "$1"; }

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1  # clones share what they compiled
scripts/setup.sh demo
if [[ ! -f build/release/build.ninja ]]; then
  cmake --preset release -DTAPEWORKS_TESTS=OFF >/dev/null
fi
ninja -C build/release -j "$(scripts/build_jobs.sh)" --quiet tapeworks

made_with="${shape[*]}"
title "Broker transactions as a vendor delivers them"
if [[ $(cat "$input/made_with" 2>/dev/null) == "$made_with" ]]; then
  printf '%s\n' "$input is there already, made with: $made_with"
else
  rm -rf "$input"
  show "$tapeworks" generate --out "$input" "${shape[@]}"
  printf '%s' "$made_with" >"$input/made_with"
fi
du -h "$input"/*.parquet

title "Daily summary per symbol, closing prices, FIFO profit and loss, ranking: one pass"
if ! show "$tapeworks" run "$input/broker_tx.parquet" --prices "$input/close_prices.parquet" \
  --data "$data" --stats 2>"$stats"; then
  cat "$stats" >&2
  exit 1
fi

title "The ten best brokers"
show "$tapeworks" ranking --data "$data" --top 10 --format table

broker=$("$tapeworks" ranking --data "$data" --top 1 --format jsonl | first_value broker)
title "The best broker, and the symbols that made it so"
# One line a symbol; the head is enough here.
show "$tapeworks" query "$broker" --data "$data" --breakdown --format table | sed -n 1,28p

symbol=2330
[[ -f $data/pnl/$symbol.parquet ]] || symbol=$(basename "$(find -L "$data/pnl" -name '*.parquet' | sort | sed -n 1p)" .parquet)
title "The brokers in one symbol"
show "$tapeworks" symbol "$symbol" --data "$data" --top 10 --format table

title "What it cost"
.venv/bin/python scripts/demo_cost.py "$stats"

recording=build/demo/recording
port=${RECORD_PORT:-19300}
title "Recording from simulated exchanges for 20 seconds"
rm -rf "$recording"
mkdir -p "$recording"
"$tapeworks" simulate-exchange --listen "127.0.0.1:$port" --symbols 20 --rate 2000/s \
  --ledger "$recording/sent.jsonl" >"$recording/feeds.toml" 2>"$recording/exchanges.log" &
exchanges=$!
trap 'kill "$exchanges" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [[ -s $recording/feeds.toml ]] && break
  if ! kill -0 "$exchanges" 2>/dev/null; then
    cat "$recording/exchanges.log" >&2
    printf '%s\n' "demo: the simulated exchanges did not start; choose other ports with RECORD_PORT=20300" >&2
    exit 1
  fi
  sleep 0.1
done
# The simulator takes any key for the SBE streams.
export TAPEWORKS_BINANCE_SBE_KEY=demo
show "$tapeworks" record --config "$recording/feeds.toml" --for 20s \
  --set "output.dir=$recording/out" --set "wal.dir=$recording/log"
kill -INT "$exchanges" && wait "$exchanges"
trap - EXIT
title "What was recorded"
.venv/bin/python scripts/demo_recording.py "$recording/out" "$recording/sent.jsonl"
