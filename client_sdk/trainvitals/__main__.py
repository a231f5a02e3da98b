"""`python -m trainvitals …` is the command `trainvitals …`."""

import sys

from trainvitals.command import main

sys.exit(main())
