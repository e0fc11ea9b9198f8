# The commit goes into --version; a tree without git says "unknown".
execute_process(
  COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE TAPEWORKS_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT TAPEWORKS_COMMIT)
  set(TAPEWORKS_COMMIT unknown)
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in
               ${PROJECT_BINARY_DIR}/generated/tapeworks_version.h @ONLY)
