/* The groups of tests: each has a file NAME_test.c with a function
 * runnel__test_NAME, which returns how many of its tests failed. */
TEST_GROUP(parser)
TEST_GROUP(addrs)
TEST_GROUP(command)
TEST_GROUP(head)
TEST_GROUP(httpdate)
TEST_GROUP(loop)
TEST_GROUP(net)
TEST_GROUP(reply)
TEST_GROUP(url)
