# Other processors, emulated; the emulator is installed where it is missing and this may be done.
.PHONY: test-cpus test-arm

# The emulator takes 1 s for a text of int8 and 3 s for fp32, on each of four processors, twice.
TEXTS ?= $(if $(filter test-arm,$(MAKECMDGOALS)),100,24)
CPU_PROCESSES ?= 2
TEST_CPUS = $(PY) -m tests.cpus $(DIST) $(call q,RECIPE) $(BUILD) --texts $(TEXTS) --processes $(CPU_PROCESSES) $(if $(VARIANT),--variants $(call q,VARIANT))

test-cpus: package emulators #: decisions on emulated processors: TEXTS=24 CPU_PROCESSES=2 VARIANT=int8
	@$(TEST_CPUS)
test-arm: package emulators #: the same on three of 64-bit ARM: TEXTS=100 CPU_PROCESSES=2
	@$(TEST_CPUS) --folder arm --processors Cortex-A72 Neoverse-N1 Armv9

# Where one cannot be had, the test is skipped on its processors and says so.
.PHONY: emulators
emulators: | $(VENV)
	@tests/cpus/qemu.sh
	@$(PY) -m tests.cpus.aarch64 build/aarch64 requirements/build.txt || :
