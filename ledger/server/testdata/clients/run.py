"""Runs a script with TigerBeetle's Python client and prints one line of JSON a step.

README.md describes the script and the lines.

    python run.py ADDRESS CLUSTER SCRIPT
"""

import bisect
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import tigerbeetle as tb

# The client has no reserved field.
FIELDS_NOT_OFFERED = {"reserved"}

EVENT_TYPES = {
    "account": tb.Account,
    "transfer": tb.Transfer,
    "account_filter": tb.AccountFilter,
    "query_filter": tb.QueryFilter,
}

# The script imports objects at timestamps of up to 10^6; the clocks of servers are far beyond.
IMPORTED_MAX = 10**6


class Run:
    """A run holds the values that a script's events refer to."""

    def __init__(self, script, client, offset):
        """offset is added to the ids of one caller."""
        self.script, self.client, self.offset = script, client, offset
        self.results = {}  # the rows of earlier steps, by the step's name
        self.lines = []

    def parse_value(self, value):
        if isinstance(value, dict):
            return self.results[value["step"]][value["row"]].timestamp + value["add"]
        if value.startswith("max"):
            return tb.AMOUNT_MAX - int(value[len("max-"):] or 0)
        if value.startswith("caller+"):
            return self.offset + int(value[len("caller+"):])
        return int(value)

    def build_events(self, step):
        record = self.script["operations"][step["operation"]]["event"]
        events = []
        for source in step["events"]:
            values = {}
            for field in self.script["fields"][record]:
                if field == "flags":
                    values[field] = sum(self.script["flags"][record][name] for name in source.get("flags", []))
                elif field not in FIELDS_NOT_OFFERED:
                    values[field] = self.parse_value(source.get(field, "0"))
            for i in range(int(source.get("repeat", 1))):
                event = {**values, "id": values["id"] + i} if i else values
                events.append(event["id"] if record == "id" else EVENT_TYPES[record](**event))
        return events

    def run_step(self, step):
        if "sleep_milliseconds" in step:
            time.sleep(step["sleep_milliseconds"] / 1000)
            return
        if "python" not in step.get("clients", ["python"]):
            return
        events = self.build_events(step)
        takes_filter = self.script["operations"][step["operation"]]["event"].endswith("filter")
        rows, error = [], None
        try:
            rows = getattr(self.client, step["operation"])(events[0] if takes_filter else events)
        except tb.TooMuchDataError:
            error = "too_much_data"
        self.results[step["name"]] = rows
        self.lines.append((step, rows, error))

    def run_steps(self, steps):
        for step in steps:
            self.run_step(step)


class Clock:
    """A clock replaces timestamps by their places in the order of all timestamps that every client sees."""

    def __init__(self, lines):
        seen = set()
        for step, rows, _ in lines:
            if "clients" not in step and "summary" not in step:
                seen.update(row.timestamp for row in rows if row.timestamp > IMPORTED_MAX)
        self.order = sorted(seen)
        self.known = seen

    def format_timestamp(self, timestamp):
        if timestamp <= IMPORTED_MAX:
            return str(timestamp)
        place = bisect.bisect_right(self.order, timestamp)
        return f"#{place}" if timestamp in self.known else f"#{place}+"


def format_row(fields, row, clock):
    words = []
    for field in fields:
        value = getattr(row, field, 0)
        if value == 0 or (field == "timestamp" and not clock):
            continue
        if field == "status":
            value = value.name.lower()
        elif field == "timestamp":
            value = clock.format_timestamp(value)
        else:
            value = int(value)
        words.append(f"{field}={value}")
    return " ".join(words)


def summarize_rows(rows):
    """Counts equal rows in a row."""
    summary = []
    for row in rows:
        if summary and summary[-1][0] == row:
            summary[-1][1] += 1
        else:
            summary.append([row, 1])
    return [f"{count} x {row}" for row, count in summary]


def print_line(script, name, line, clock=None):
    step, rows, error = line
    if error:
        answer = {"step": name, "error": error}
    else:
        fields = step.get("summary") or script["fields"][script["operations"][step["operation"]]["result"]]
        texts = [format_row(fields, row, clock) for row in rows]
        answer = {"step": name, "rows": summarize_rows(texts) if "summary" in step else texts}
    print(json.dumps(answer, separators=(",", ":"), ensure_ascii=False))


def run_script(script, client):
    run = Run(script, client, 0)
    run.run_steps(script["steps"])
    clock = Clock(run.lines)
    for line in run.lines:
        print_line(script, line[0]["name"], line, clock)

    concurrent = script["concurrent"]
    callers = concurrent["callers"]
    runs = [Run(script, client, concurrent["stride"] * (i + 1)) for i in range(callers)]
    with ThreadPoolExecutor(callers) as threads:
        list(threads.map(lambda caller: caller.run_steps(concurrent["steps"]), runs))
    for i, caller in enumerate(runs):
        for line in caller.lines:
            print_line(script, f"caller {i + 1}: {line[0]['name']}", line)
    last = Run(script, client, 0)
    last.run_steps(concurrent["after"])
    for line in last.lines:
        print_line(script, line[0]["name"], line)


def main():
    address, cluster, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        script = json.load(file)
    with tb.ClientSync(cluster_id=int(cluster), replica_addresses=address) as client:
        run_script(script, client)


main()
