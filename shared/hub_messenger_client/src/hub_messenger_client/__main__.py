"""`python -m hub_messenger_client` is `hub-messenger`."""

import sys

from .cli import main

sys.exit(main())
