/* unit.h - what every unit test includes: cmocka, and TEST, whose name is a sentence. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TEST(sentence) static void sentence(void **state __attribute__((unused)))
#define RUN(sentence)  cmocka_unit_test(sentence)
