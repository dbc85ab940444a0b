import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

# No test asserts on speed, and the machine may be busy with others.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
