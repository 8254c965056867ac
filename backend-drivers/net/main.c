/* SPDX-License-Identifier: MIT */
/* mullion-net: one network interface of one guest. What it does is in vif.h; what every backend
 * does is in lib/device.c. */
#include "vif.h"

int main(int argc, char **argv)
{
    return device_main(argc, argv, &vif_driver);
}
