"""A machine whose clock is wrong: with this folder on PYTHONPATH, `WRONG_BY` seconds are added to the time of day."""

import os
import time

_right = time.time
_wrong_by = float(os.environ["WRONG_BY"])

time.time = lambda: _right() + _wrong_by
