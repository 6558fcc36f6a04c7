/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that are wrong in one way each, chosen by BROKEN_*; compiled as C, as a foreign author would. */
#include <string.h>

#include "geeps_transport.h"

#if defined(BROKEN_NO_ENTRY)
GEEPS_PLUGIN_EXPORT int broken_other_symbol(void);
int broken_other_symbol(void) { return 1; }
#else

static geeps_transport table; /* all slots NULL */

static const void *get_interface(const char *id) {
#if defined(BROKEN_SHORT_TABLE)
  table.struct_size = 16; /* ends before the first function */
#else
  table.struct_size = sizeof(table);
#endif
  return strcmp(id, GEEPS_TRANSPORT_ID) == 0 ? &table : NULL;
}

static const geeps_plugin plugin = {
#if defined(BROKEN_SHORT_DESCRIPTOR)
    .struct_size = 8,
#else
    .struct_size = sizeof(geeps_plugin),
#endif
#if defined(BROKEN_MAJOR)
    .abi = 0x00020000u,
#else
    .abi = GEEPS_PLUGIN_ABI,
#endif
#if !defined(BROKEN_NO_NAME)
    .name = "broken",
#endif
    .version = "1",
    .license = "Apache-2.0",
    .build_info = "",
    .get_interface = get_interface,
};

const geeps_plugin *GEEPS_PLUGIN_QUERY(uint32_t host_abi) {
#if defined(BROKEN_NULL)
  return host_abi == 0 ? &plugin : NULL;
#else
  (void)host_abi;
  return &plugin;
#endif
}
#endif
