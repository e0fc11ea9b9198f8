#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace tapeworks {

/// What a folder is searched for.
enum class InputKind {
  kParquet,  ///< *.parquet
  kCsv,      ///< *.csv, in any case of letters
};

/// The files that the INPUT arguments of a command line stand for, sorted bytewise, each once.
///
/// An argument is, in this order:
///   - a file: taken, whatever its name;
///   - a folder: every file of `kind` in it and in the folders below it. Names that begin with "."
///   or
///   "_"
///     are left out (half-written files and markers of other programs), links are followed;
///   - a pattern with * ? [ that the shell did not expand: whatever it matches, files or folders.
/// An address of an object store (s3://, gs://; storage/object_store.h) stands for an object, for
/// all objects of `kind` below it, or with * and [ for those that match. Its options hold for the
/// bucket from now on; the result has the plain addresses.
/// A file that is named twice, also through a link or a folder, is read once and a warning says so.
///
/// Errors: kInvalidArgument for no argument, an argument that does not exist, a pattern without a
/// match, and what is neither file nor folder; kCorrupt for a folder without such a file and for a
/// link in it that leads nowhere; kIo for a folder or a store that cannot be read.
Result<std::vector<std::filesystem::path>> expand_inputs(const std::vector<std::string>& inputs,
                                                         InputKind kind = InputKind::kParquet);

}  // namespace tapeworks
