/* SPDX-License-Identifier: MIT */
/* mullion-block: one disk of one guest. What it does around its queue is in lib/device.c; what it
 * offers is in disk.c. */
#include "disk.h"

int main(int argc, char **argv)
{
    return device_main(argc, argv, &disk_driver);
}
