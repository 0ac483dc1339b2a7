# The program in C, examples/c, against the library of onnxruntime's wheel.
.PHONY: native test-native

NATIVE := build/native
# Headers and library may come from elsewhere: ORT_INCLUDE=FOLDER ORT_LIB=FOLDER
ORT_INCLUDE ?= $(NATIVE)/include
ORT_LIB ?= $(NATIVE)/lib
CC ?= cc
C_FLAGS := -std=c11 -Wall -Wextra -Wshadow -Werror -isystem $(ORT_INCLUDE)
C_LIBRARIES := -L$(ORT_LIB) -lonnxruntime -Wl,-rpath,$(abspath $(ORT_LIB))
C_INPUTS := examples/c/decide.c $(ORT_INCLUDE)/onnxruntime_c_api.h $(ORT_LIB)/libonnxruntime.so
C_SANITIZERS := -g -fsanitize=address,undefined -fno-sanitize-recover=all

native: $(NATIVE)/decide #: the program in C: build/native/decide

$(NATIVE)/decide: $(C_INPUTS)
	$(CC) -O2 $(C_FLAGS) $< -o $@ $(C_LIBRARIES)
$(NATIVE)/decide-sanitized: $(C_INPUTS)
	$(CC) -O1 $(C_SANITIZERS) $(C_FLAGS) $< -o $@ $(C_LIBRARIES)

# The wheel has the library without headers; an npm package has the headers, of an older version of the same ABI.
$(NATIVE)/include/onnxruntime_c_api.h: $(addprefix tests/native/,package.json package-lock.json .npmrc)
	@rm -rf $(NATIVE)/npm && mkdir -p $(NATIVE)/npm $(@D)
	cp $^ $(NATIVE)/npm
	cd $(NATIVE)/npm && npm ci --silent --ignore-scripts --no-audit --no-fund
	cp $(NATIVE)/npm/node_modules/*/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers/*.h $(@D)
	@rm -rf $(NATIVE)/npm && touch $@
$(NATIVE)/lib/libonnxruntime.so: | $(VENV)
	@mkdir -p $(@D)
	ln -sfr .venv/lib/python*/site-packages/onnxruntime/capi/libonnxruntime.so.* $(@D)/libonnxruntime.so.1
	@ln -sf libonnxruntime.so.1 $@

test-native: package $(addprefix $(NATIVE)/,decide decide-sanitized) #: the program in C, and tested with sanitizers
	ARTIFACT=$(DIST) $(PY) -m pytest tests/native -m consumers -rP
