# A module is one folder of src/: its sources by name, what it uses, and its unit tests beside them.
#
#   tapeworks_module(storage SOURCES manifest.cpp ... USES base TESTS manifest_test.cpp ...
#                    FUZZERS column_reader_fuzz.cpp)
#
# makes the static library tapeworks_storage, with TAPEWORKS_TESTS the program storage_test, and with
# TAPEWORKS_FUZZERS one program for each fuzzer.
function(tapeworks_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES;TESTS;FUZZERS" ${ARGN})
  add_library(tapeworks_${name} STATIC ${ARG_SOURCES})
  target_include_directories(tapeworks_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ARG_USES PREPEND tapeworks_ OUTPUT_VARIABLE uses)
  target_link_libraries(tapeworks_${name} PUBLIC ${uses} ${ARG_LIBRARIES}
                                          PRIVATE tapeworks_warnings)
  if(TAPEWORKS_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE tapeworks_${name} tapeworks_warnings
                                               GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      TAPEWORKS_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60)
  endif()
  if(TAPEWORKS_FUZZERS)
    # The coverage hooks go into the module too, or the fuzzer would see nothing of it.
    target_compile_options(tapeworks_${name} PRIVATE -fsanitize=fuzzer-no-link)
    foreach(source ${ARG_FUZZERS})
      get_filename_component(fuzzer ${source} NAME_WE)
      add_executable(${fuzzer} ${source})
      target_link_libraries(${fuzzer} PRIVATE tapeworks_${name} tapeworks_warnings)
      target_compile_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
      target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endfunction()
