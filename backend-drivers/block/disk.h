/* SPDX-License-Identifier: MIT */
/*
 * The disk device: configuration, features, connection.
 *
 * Reads `params`, `mode`, `device-type` of the backend directory; offers flush, barrier, discard,
 * indirect and persistent requests and rings of several pages; connects a queue (queue.h) to the
 * frontend's ring.
 */
#pragma once

#include "device.h"

extern const struct device_driver disk_driver;
