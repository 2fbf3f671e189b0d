/*
 * swapoff.h - a swap area goes out of use.  Layer 7.
 */
#ifndef MM_SERVICE_SWAPOFF_H
#define MM_SERVICE_SWAPOFF_H

/* Bring back all that is in area @type and stop using it.  0; or -ENOMEM (there is no room for it), -EINTR (a signal): then
 * it is in use as before.  A page that cannot be read is lost: touching it is SIGBUS.
 * => one caller at a time for an area; no locks held, sleeps */
int swap_off(unsigned type);

#endif
