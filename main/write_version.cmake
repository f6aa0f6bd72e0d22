# Run at every build, since a commit changes no file that the build knows of: writes OUTPUT from version.cpp.in, and leaves it
# alone where it is right already. Takes GIT (which may be empty), SOURCE, VERSION, OUTPUT.
set(REVISION "")
if(GIT)
  execute_process(COMMAND ${GIT} rev-parse --short=12 HEAD
    WORKING_DIRECTORY ${SOURCE}
    OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
# Before the first commit git repeats the word HEAD.
if(NOT REVISION MATCHES "^[0-9a-f]+$")
  set(REVISION "unknown")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/version.cpp.in ${OUTPUT} @ONLY)
