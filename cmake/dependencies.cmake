include(CheckCXXSourceCompiles)

# Arrow and Parquet: the system's packages when it has them, else the pinned pyarrow wheel, which
# ships headers and shared libraries (requirements.txt; scripts/setup.sh installs it in .venv).
find_package(Arrow CONFIG QUIET)
find_package(Parquet CONFIG QUIET)
set(TAPEWORKS_PYTHON "" CACHE FILEPATH "Python whose wheels provide Arrow, Parquet and ADBC")
if(NOT TAPEWORKS_PYTHON)
  set(TAPEWORKS_PYTHON ${PROJECT_SOURCE_DIR}/.venv/bin/python)
endif()
if(Arrow_FOUND AND Parquet_FOUND)
  add_library(tapeworks_parquet INTERFACE)
  target_link_libraries(tapeworks_parquet INTERFACE Parquet::parquet_shared Arrow::arrow_shared)
else()
  execute_process(
    COMMAND ${TAPEWORKS_PYTHON} -c "import os, pyarrow; print(os.path.dirname(pyarrow.__file__))"
    OUTPUT_VARIABLE pyarrow_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE pyarrow_result
    ERROR_QUIET)
  if(NOT pyarrow_result EQUAL 0)
    message(FATAL_ERROR "Arrow C++ was not found, and ${TAPEWORKS_PYTHON} has no pyarrow; "
                        "run scripts/setup.sh or set TAPEWORKS_PYTHON.")
  endif()
  file(GLOB arrow_library ${pyarrow_dir}/libarrow.so.* ${pyarrow_dir}/libarrow.*.dylib)
  file(GLOB parquet_library ${pyarrow_dir}/libparquet.so.* ${pyarrow_dir}/libparquet.*.dylib)
  add_library(tapeworks_parquet INTERFACE)
  target_include_directories(tapeworks_parquet SYSTEM INTERFACE ${pyarrow_dir}/include)
  target_link_libraries(tapeworks_parquet INTERFACE ${arrow_library} ${parquet_library})
  target_link_options(tapeworks_parquet INTERFACE -Wl,-rpath,${pyarrow_dir})
endif()

# ADBC, the interface to databases: its driver manager loads a database's driver when the program runs.
# No distribution has it, so it is compiled from the sources that the pinned wheel carries.
execute_process(
  COMMAND ${TAPEWORKS_PYTHON} -c "import importlib.util as u; print(u.find_spec('adbc_driver_manager').submodule_search_locations[0])"
  OUTPUT_VARIABLE adbc_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE adbc_result ERROR_QUIET)
if(NOT adbc_result EQUAL 0)
  message(FATAL_ERROR "${TAPEWORKS_PYTHON} has no adbc-driver-manager; run scripts/setup.sh or set TAPEWORKS_PYTHON.")
endif()
add_library(tapeworks_adbc STATIC
  ${adbc_dir}/adbc_driver_manager.cc ${adbc_dir}/adbc_driver_manager_api.cc
  ${adbc_dir}/adbc_driver_manager_driver_loading.cc ${adbc_dir}/adbc_driver_manager_profiles.cc)
target_include_directories(tapeworks_adbc SYSTEM PUBLIC ${adbc_dir})
target_compile_options(tapeworks_adbc PRIVATE -w)
target_link_libraries(tapeworks_adbc PRIVATE ${CMAKE_DL_LIBS})

find_package(Threads REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(tapeworks_xxhash INTERFACE)
target_include_directories(tapeworks_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})
target_link_libraries(tapeworks_xxhash INTERFACE ${XXHASH_LIBRARY})

find_path(ZSTD_INCLUDE zstd.h REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)
add_library(tapeworks_zstd INTERFACE)
target_include_directories(tapeworks_zstd SYSTEM INTERFACE ${ZSTD_INCLUDE})
target_link_libraries(tapeworks_zstd INTERFACE ${ZSTD_LIBRARY})

# JSON from the wire; used by the files that read frames and answers of BigQuery. Header only, and under names of its
# own: Arrow's shared libraries export the parsers that they contain, of other versions, and a shared name would be bound
# to theirs.
find_path(RAPIDJSON_INCLUDE rapidjson/reader.h REQUIRED)
add_library(tapeworks_rapidjson INTERFACE)
target_include_directories(tapeworks_rapidjson SYSTEM INTERFACE ${RAPIDJSON_INCLUDE})
target_compile_definitions(tapeworks_rapidjson INTERFACE
  RAPIDJSON_SSE2
  "RAPIDJSON_NAMESPACE=tapeworks::rapidjson"
  "RAPIDJSON_NAMESPACE_BEGIN=namespace tapeworks::rapidjson {"
  "RAPIDJSON_NAMESPACE_END=}")

# TOML; header only.
find_path(TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
add_library(tapeworks_toml INTERFACE)
target_include_directories(tapeworks_toml SYSTEM INTERFACE ${TOMLPLUSPLUS_INCLUDE})

# libparquet of the pyarrow wheel exports the OpenSSL that it contains. Among options the libraries stand
# before all others, so that the loader takes the system's, for our calls and for its own inner ones.
find_package(OpenSSL 3.0 REQUIRED)
add_library(tapeworks_openssl INTERFACE)
target_link_libraries(tapeworks_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto)
target_link_options(tapeworks_openssl INTERFACE
  LINKER:--no-as-needed ${OPENSSL_SSL_LIBRARY} ${OPENSSL_CRYPTO_LIBRARY})

# HTTP for the reader of BigQuery: proxies, TLS, connections that are kept.
find_package(CURL 7.85 REQUIRED)
add_library(tapeworks_curl INTERFACE)
target_link_libraries(tapeworks_curl INTERFACE CURL::libcurl)

# Boost.Asio and Boost.Beast with OpenSSL. Their functions that are no templates are compiled once, in
# src/recorder/net/boost_sources.cpp, which takes minutes off a build.
find_package(Boost 1.81 REQUIRED)
add_library(tapeworks_beast INTERFACE)
target_link_libraries(tapeworks_beast INTERFACE Boost::headers tapeworks_openssl Threads::Threads)
if("thread" IN_LIST TAPEWORKS_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio has fences, which ThreadSanitizer does not follow; what they guard is locked as well.
  target_compile_options(tapeworks_beast INTERFACE -Wno-tsan)
endif()
target_compile_definitions(tapeworks_beast INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

if(TAPEWORKS_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
