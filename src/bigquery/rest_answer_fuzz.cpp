// Any bytes are an answer of a hostile server: they must give an error or an answer whose columns
// and rows can be built, never a crash or a read outside of them.
//
//   build/clang/src/bigquery/rest_answer_fuzz -max_total_time=600 CORPUS

#include <cstddef>
#include <cstdint>
#include <string>

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>

#include "bigquery/rest_answer.h"
#include "bigquery/result_columns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tapeworks::bigquery;
  const auto answer = RestAnswer::parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!answer) return 0;
  const auto columns = columns_of(*answer);
  if (!columns) return 0;
  const auto rows = rows_of(*answer, *columns, "fuzz", arrow::default_memory_pool());
  if (rows && !(*rows)->ValidateFull().ok()) __builtin_trap();
  return 0;
}
