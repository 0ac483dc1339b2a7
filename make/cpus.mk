# Other x86 processors, emulated; the emulator is installed where it is missing and this may be done.
.PHONY: test-cpus

# The emulator takes 1 s for a text of int8 and 3 s for fp32, on each of three processors, twice.
TEXTS ?= 24
CPU_PROCESSES ?= 2

test-cpus: package #: decisions on emulated processors: TEXTS=24 CPU_PROCESSES=2
	@tests/cpus/qemu.sh
	@$(PY) -m tests.cpus $(DIST) $(call q,RECIPE) $(BUILD) --texts $(TEXTS) --processes $(CPU_PROCESSES)
