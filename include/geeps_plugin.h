/* SPDX-License-Identifier: Apache-2.0 */
/* geeps_plugin.h - what every plugin of geeps exports, and what the host gives it.
 *
 * A plugin vendors the headers and links nothing of geeps. It exports one function, GEEPS_PLUGIN_QUERY, which returns a static
 * descriptor. It has no process-wide state: everything hangs off what its create or open functions return. When a destroy or
 * close function returns, no thread of the plugin runs for that object and no call of the host table follows. */
#ifndef GEEPS_PLUGIN_H
#define GEEPS_PLUGIN_H

#include "geeps.h" /* types only */

#ifdef __cplusplus
extern "C" {
#endif

#define GEEPS_PLUGIN_ABI 0x00010000u /* major << 16 | minor */

#if defined(__GNUC__)
#define GEEPS_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define GEEPS_PLUGIN_EXPORT
#endif

typedef struct geeps_host { /* services of the host; valid until the runtime that lent it is destroyed; [any-thread] */
  uint32_t struct_size;
  uint32_t abi;              /* major << 16 | minor of the host */
  void *ctx;                 /* first argument of every function below */
  const char *plugin_path;   /* file this plugin was loaded from; NULL when linked in */
  void (*log)(void *ctx, int32_t level, const char *component, const char *text, uint64_t len);
  void *(*alloc)(void *ctx, uint64_t bytes, uint64_t align); /* NULL when there is no memory */
  void (*free)(void *ctx, void *p, uint64_t bytes, uint64_t align);
  const void *(*get_extension)(void *ctx, const char *id);   /* NULL when the host has none of that id */
} geeps_host;

typedef struct geeps_plugin { /* static const in the plugin */
  uint32_t struct_size;
  uint32_t abi;              /* major << 16 | minor it was built for; the host decides whether it fits */
  const char *name;          /* "tcp"; the file is geeps_KIND_NAME.so or any path */
  const char *version;
  const char *license;       /* SPDX */
  const char *build_info;    /* compiler and library versions, free text */
  const void *(*get_interface)(const char *id); /* [any-thread] "geeps.transport/1" ...; NULL when absent */
} geeps_plugin;

#ifndef GEEPS_PLUGIN_QUERY
#define GEEPS_PLUGIN_QUERY geeps_plugin_query /* static builds rename it */
#endif

/* [any-thread] Cheap, without side effects. */
GEEPS_PLUGIN_EXPORT const geeps_plugin *GEEPS_PLUGIN_QUERY(uint32_t host_abi);

#ifdef __cplusplus
}
#endif
#endif
