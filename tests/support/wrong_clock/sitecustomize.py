"""A machine whose clock is wrong: put this folder on PYTHONPATH, and `WRONG_BY` seconds are added to the time of day."""

import os
import time

_right = time.time
_wrong_by = float(os.environ["WRONG_BY"])

time.time = lambda: _right() + _wrong_by
