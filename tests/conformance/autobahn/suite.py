"""The Autobahn testsuite as a process that `run.py` starts. This file is Python 2.7, as the suite is.

    suite.py SITE list           every case the suite has, as JSON
    suite.py SITE client SPEC    runs cases against a server
    suite.py SITE server SPEC    offers cases to a client, until it is stopped

SITE is the folder of the suite's packages. SPEC is a JSON file: `cases` (numbers), `outdir` (of the
reports), `agent` and `url` for a client, `port_file` for a server, which says there where it listens.
The suite's own command line is not used: its server would listen on every interface, and on a port
that somebody has to choose before it is known to be free.
"""

from __future__ import print_function

import json
import os
import site
import socket
import sys

site.addsitedir(sys.argv[1])
sys.path.insert(0, sys.argv[1])

# The suite goes without it if it has to, at several times the time.
import wsaccel  # noqa: E402,F401
from autobahntestsuite import case, caseset, fuzzing  # noqa: E402
from twisted.internet import reactor  # noqa: E402


def every_case():
    known = caseset.CaseSet(
        case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories
    )
    return [known.caseClasstoId(c) for c in case.Cases]


def run_client(spec):
    fuzzing.startClient({
        "outdir": spec["outdir"],
        "servers": [{"agent": spec["agent"], "url": spec["url"]}],
        "cases": spec["cases"],
    })
    reactor.run()


def run_server(spec):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listener.setblocking(0)
    port = listener.getsockname()[1]
    # The port is part of the URL that the suite compares with the Host field.
    factory = fuzzing.FuzzingServerFactory({
        "outdir": spec["outdir"],
        "url": "ws://127.0.0.1:%d" % port,
        "cases": spec["cases"],
    })
    reactor.adoptStreamPort(listener.fileno(), socket.AF_INET, factory)
    listener.close()
    with open(spec["port_file"] + ".new", "w") as out:
        out.write("%d\n" % port)
    os.rename(spec["port_file"] + ".new", spec["port_file"])
    reactor.run()


def main():
    mode = sys.argv[2]
    if mode == "list":
        print(json.dumps(every_case()))
        return
    with open(sys.argv[3]) as text:
        spec = json.load(text)
    # The suite formats URLs and names as byte strings.
    spec = {k: v.encode("ascii") if isinstance(v, type(u"")) else v for k, v in spec.items()}
    {"client": run_client, "server": run_server}[mode](spec)


main()
