//   build/clang/src/recorder/protocol/binance_spot_fuzz -max_total_time=600

#include "recorder/protocol/decode_fuzz_test_support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tapeworks::recorder;
  return fuzz_decoder(Venue::kBinanceSpot, Opcode::kText, data, size);
}
