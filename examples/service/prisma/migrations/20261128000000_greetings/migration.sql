-- CreateTable
CREATE TABLE "greetings" (
    "name" TEXT NOT NULL,
    "text" TEXT NOT NULL,

    CONSTRAINT "greetings_pkey" PRIMARY KEY ("name")
);
