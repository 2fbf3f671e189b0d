/*
 * rtc.c - the date, from the CMOS clock.  Layer 1 (x86).
 */
#include <arch/irq.h>
#include <asm/io.h>
#include <asm/machine.h>
#include "kernel/lib/string.h"

enum { RTC_SECOND = 0, RTC_MINUTE = 2, RTC_HOUR = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9, RTC_A = 10, RTC_B = 11 };
#define RTC_A_UPDATING 0x80
#define RTC_B_BINARY 0x04
#define RTC_B_24H 0x02

struct rtc_time {
	u8 second, minute, hour, day, month, year;
};

static u8 cmos_read(u8 reg)
{
	outb(reg, 0x70);
	return inb(0x71);
}

static struct rtc_time time_read(void)
{
	for (unsigned i = 0; i < 100000 && (cmos_read(RTC_A) & RTC_A_UPDATING); i++)
		cpu_relax();
	return (struct rtc_time){cmos_read(RTC_SECOND), cmos_read(RTC_MINUTE), cmos_read(RTC_HOUR),
	                         cmos_read(RTC_DAY),    cmos_read(RTC_MONTH),  cmos_read(RTC_YEAR)};
}

static u8 from_bcd(u8 v)
{
	return (u8)((v >> 4) * 10 + (v & 15));
}

static struct rtc_time time_decode(struct rtc_time t, u8 mode)
{
	bool afternoon = !(mode & RTC_B_24H) && (t.hour & 0x80);

	t.hour &= 0x7f;
	if (!(mode & RTC_B_BINARY))
		t = (struct rtc_time){from_bcd(t.second), from_bcd(t.minute), from_bcd(t.hour),
		                      from_bcd(t.day),    from_bcd(t.month),  from_bcd(t.year)};
	if (!(mode & RTC_B_24H))
		t.hour = (u8)(t.hour % 12 + (afternoon ? 12 : 0));
	return t;
}

/* Days from 1970-01-01 to a date of 2000..2099. */
static u32 days_since_epoch(unsigned year, unsigned month, unsigned day)
{
	static const u16 before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	u32 days = 10957 + year * 365 + (year + 3) / 4; /* to 1 January; 2000 was a leap year */

	if (month < 1 || month > 12)
		month = 1;
	return days + before[month - 1] + (month > 2 && year % 4 == 0) + day - 1;
}

static u64 epoch_read(void)
{
	struct rtc_time t = time_read(), again;

	for (unsigned i = 0; i < 10; i++) { /* until two readings agree */
		again = time_read();
		if (!memcmp(&t, &again, sizeof(t)))
			break;
		t = again;
	}
	t = time_decode(t, cmos_read(RTC_B));
	return (u64)days_since_epoch(t.year, t.month, t.day) * 86400 + t.hour * 3600u + t.minute * 60u + t.second;
}

u64 arch_boot_epoch(void)
{
	static u64 epoch;

	if (!epoch)
		epoch = epoch_read() - arch_clock_ns() / 1000000000;
	return epoch;
}
