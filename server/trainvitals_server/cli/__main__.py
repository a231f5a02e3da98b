"""``python -m trainvitals_server.cli``: the server's commands where no console script is installed."""

import sys

from trainvitals_server.cli import main

sys.exit(main())
