"""For all tests: examples made by hypothesis may take as long as the machine needs."""

import hypothesis

hypothesis.settings.register_profile("no limit on time", deadline=None)
hypothesis.settings.load_profile("no limit on time")
