// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "plugins/idx/idx_source.h"

namespace geeps::idx {
namespace {

constexpr char kScheme[] = "idx://";

// The compressed file when it is there, else the plain one when that is there, else the compressed one (whose absence
// is then told).
std::string FindFile(const std::string& directory, const std::string& name) {
  const std::string compressed = directory + "/" + name + ".gz";
  const std::string plain = directory + "/" + name;
  return !FileExists(compressed) && FileExists(plain) ? plain : compressed;
}

Status CheckName(const std::string& key, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos) {
    return Status(GEEPS_E_INVALID, "option " + key + " = '" + name + "': expected the name of a file in the directory");
  }
  return Status();
}

}  // namespace

Status ParseUri(const char* uri, const geeps_kv* options, uint64_t num_options, DataSetPaths* out) {
  if (uri == nullptr) return Status(GEEPS_E_INVALID, "uri is NULL");
  const size_t scheme_length = sizeof kScheme - 1;
  if (std::strncmp(uri, kScheme, scheme_length) != 0 || uri[scheme_length] != '/') {
    return Status(GEEPS_E_INVALID, "uri '" + std::string(uri) + "': expected idx:///DIRECTORY with an absolute path");
  }
  std::string directory = uri + scheme_length;
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  if (options == nullptr && num_options > 0) {
    return Status(GEEPS_E_INVALID, "options is NULL, num_options is " + std::to_string(num_options));
  }

  std::string prefix = "train";
  std::string images, labels;
  for (uint64_t i = 0; i < num_options; ++i) {
    if (options[i].key == nullptr || options[i].value == nullptr) {
      return Status(GEEPS_E_INVALID, "option " + std::to_string(i) + ": key or value is NULL");
    }
    const std::string key = options[i].key, value = options[i].value;
    if (key == "split") {
      if (value != "train" && value != "test") {
        return Status(GEEPS_E_INVALID, "option split = '" + value + "': expected train or test");
      }
      prefix = value == "train" ? "train" : "t10k";
    } else if (key == "images" || key == "labels") {
      if (Status s = CheckName(key, value); !s.ok()) return s;
      (key == "images" ? images : labels) = value;
    } else {
      return Status(GEEPS_E_INVALID, "unknown option '" + key + "': idx has split, images, labels");
    }
  }
  out->images = images.empty() ? FindFile(directory, prefix + "-images-idx3-ubyte") : directory + "/" + images;
  out->labels = labels.empty() ? FindFile(directory, prefix + "-labels-idx1-ubyte") : directory + "/" + labels;
  return Status();
}

}  // namespace geeps::idx
